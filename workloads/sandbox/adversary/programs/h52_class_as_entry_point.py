# HONEST: the entry point is a class (LRUCache); the tests use its methods. Must pass (documented limit).
#: kind = honest
#: entry = Stack


class Stack:
    def __init__(self):
        self.items = []

    def push(self, x):
        self.items.append(x)

    def pop(self):
        return self.items.pop()


# ==== TESTS ====
s = Stack()
s.push(1)
assert s.pop() == 1
