"""One folder for each dialect of a cloud gateway."""
