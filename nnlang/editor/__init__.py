"""The language server: functions of a text and an offset in it, and one module that binds them to the protocol."""
