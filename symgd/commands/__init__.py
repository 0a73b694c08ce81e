"""The commands beyond the default one; each is registered in `symgd.cli.app`."""
