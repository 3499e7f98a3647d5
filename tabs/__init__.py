"""The user interface: one file per tab, components and wiring, no computing."""
