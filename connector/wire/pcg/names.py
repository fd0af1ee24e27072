"""Namespaces and limits of our dialect, in one place. docs/protocols/pcg.md is the binding text."""

# Ours alone. Nothing of ours stands in `urn:xmpp:pbxagent:*`, which belongs to the vendor.
CONF = "urn:oxbridge:conf:1"
CSTA = "urn:oxbridge:csta:1"
RVA = "urn:oxbridge:rva:1"

# ECMA-323, 6th edition (December 2011): the edition we write.
ECMA323 = "http://www.ecma-international.org/standards/ecma-323/csta/ed6"
# Editions 3 to 6 differ in the last digit only; every one is read.
ECMA323_ANY_EDITION = ECMA323[:-1]
# The second edition stood under the association's older name.
ECMA323_SECOND_EDITION = "http://www.ecma.ch/standards/ecma-323/csta/ed2"

HTTP = "urn:xmpp:http"  # XEP-0332
SHIM = "http://jabber.org/protocol/shim"  # XEP-0131

DIALECT_VERSION = 1

# A frame holds 65,536 bytes (protocol, section 1); the rest is left to the stanza around the payload and to
# routes that add addresses.
MAX_PAYLOAD_BYTES = 49_152

# The vendor's numbers have at most 32 characters; a CSTA device may also be a URI.
MAX_NUMBER_CHARS = 256
# Names are for people: a PBX cuts them at 20 to 50 characters.
MAX_NAME_CHARS = 128
# Call references, epochs, transaction and user ids: opaque, at most a UUID with a prefix in practice.
MAX_ID_CHARS = 128
# Codes are 4 digits or 32 hex characters; an operator may choose a longer one.
MAX_CODE_CHARS = 128
# One word of a closed list, a version or a reason.
MAX_WORD_CHARS = 64
# SQLite's integer, which holds the sequence at both ends.
MAX_SEQUENCE = 2**63 - 1

# Protocol, section 2.
MAX_DEVICES_PER_PAGE = 200
# 100,000 devices: the largest OXE serves 15,000.
MAX_PAGES = 500
# A three-party conference lists three connections, the largest OXE conference 29.
MAX_CONNECTIONS = 64
# Calls that one device can have at a time: an attendant's set has the most keys.
MAX_CALLS_PER_DEVICE = 64
