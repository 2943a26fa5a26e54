"""What goes over the wire: one marshmallow module per noun. Schemas check form only and touch nothing else."""
