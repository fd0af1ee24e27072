"""The whole story on one machine: a PBX rings, the gateway hears of it, the caller gets an SMS."""
