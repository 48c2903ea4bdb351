"""Points of a representation on a plane, at one checkpoint or site or along several, and how faithful the plane is."""
