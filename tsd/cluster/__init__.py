"""Where jobs run: what a site has, and how a training of several processes is started there."""
