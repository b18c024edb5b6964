"""The language server: nnlang.editor bound to the protocol by pygls. It speaks on standard input and output.

It keeps the texts of open documents itself (pygls ends lines where the protocol does not), checks them on a thread of
its own after a pause in typing, and drops what is found in a text that has changed since. An exception of ours goes to
the client's log; the request that met it is answered with nothing.
"""
