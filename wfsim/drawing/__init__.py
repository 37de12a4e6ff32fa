"""Pictures of graphs, as SVG, as data for other front ends, and as text."""

from wfsim.drawing.graph import Direction, Edge, Group, Head, LineStyle, Node, Role, Shape
from wfsim.drawing.picture import Picture

__all__ = ["Direction", "Edge", "Group", "Head", "LineStyle", "Node", "Picture", "Role", "Shape"]
