"""Commands that change nodes: provision, deploy, nodes that come and go, rotation."""
