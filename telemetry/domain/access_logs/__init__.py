"""Access logs of web servers and load balancers: what a line says of one answered request."""
