"""The web page where a person plays a world, dreamt or true."""
