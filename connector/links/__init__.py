"""All input and output towards peers; the only place that knows sockets, TLS and foreign exceptions."""
