"""A whole small mail world on one machine: names, certificates, receivers, Redis, both daemons and Postfix. See README."""
