"""The proxy's settings: from the environment where that is asked for, and what is wrong with them."""
