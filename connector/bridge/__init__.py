"""The use cases between PBX and cloud, over ports: nothing here knows CSTA encodings or XMPP."""
