"""HTTP and SMTP for receivers: one request or mail at a time, no retries.

Error messages name host and port, never a path, a query or a credential, and hide those a server echoes.
"""
