"""Groups of commands, a file each: what they read and call. Bodies that are longer than a few lines lie beside them."""
