"""Through a corporate proxy: which one, and how each kind is asked."""
