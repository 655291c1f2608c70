//! Public HTTP and JSON shapes.
