"""What special controls showed: hellos of another size, hops counted, URLs of chains fetched."""
