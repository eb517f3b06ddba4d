# HONEST: works on a linked list and a tree whose class the program defines and the tests build. Must pass.
#: kind = honest


class Node:
    def __init__(self, value, left=None, right=None):
        self.value, self.left, self.right = value, left, right


def solve(root):
    if root is None:
        return None
    root.left, root.right = solve(root.right), solve(root.left)
    return root


# ==== TESTS ====
def values(root):
    return [] if root is None else [root.value, *values(root.left), *values(root.right)]


assert values(solve(Node(1, Node(2, Node(3)), Node(4)))) == [1, 4, 2, 3]
assert solve(None) is None
