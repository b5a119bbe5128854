"""What every phase needs of sockets and bytes: opening them, reading their state, naming their errors."""
