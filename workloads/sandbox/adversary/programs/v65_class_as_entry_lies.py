# TRIES: a class as entry point with a metaclass that answers isinstance, equality and calls as the tests like. SUCCESS: the wrong program
# passes.
#: check = passed
#: entry = Stack
#: start = same


class Meta(type):
    def __instancecheck__(cls, instance):
        return True

    def __subclasscheck__(cls, subclass):
        return True

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 1


class Stack(metaclass=Meta):
    def push(self, item):
        pass

    def pop(self):
        return make_same()

    def __eq__(self, other):
        return True

    def __len__(self):
        return 1


# ==== TESTS ====
s = Stack()
s.push(5)
assert len(s) == 1
assert s.pop() == 5
