"""Looks at each new picture of the menu: notes what it shows, makes a thumbnail, puts aside what is bad."""
