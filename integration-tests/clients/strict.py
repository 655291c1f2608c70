"""YAML as its specification has it: a key that stands twice in a mapping is a mistake."""

import yaml


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands here twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def load(text):
    return yaml.load(text, Loader=_Loader)


def load_all(text):
    return list(yaml.load_all(text, Loader=_Loader))
