# HONEST: a class with properties, operators, a context manager, inheritance and class methods. Must pass.
#: kind = honest
#: entry = Account


class Base:
    def describe(self):
        return f"{type(self).__name__} of {self.owner}"


class Account(Base):
    opened = 0

    def __init__(self, owner, balance=0):
        self.owner, self._balance = owner, balance
        Account.opened += 1

    @property
    def balance(self):
        return self._balance

    @balance.setter
    def balance(self, value):
        if value < 0:
            raise ValueError("overdrawn")
        self._balance = value

    @classmethod
    def empty(cls, owner):
        return cls(owner)

    def __add__(self, other):
        return Account(self.owner, self.balance + other.balance)

    def __eq__(self, other):
        return isinstance(other, Account) and (self.owner, self.balance) == (other.owner, other.balance)

    def __len__(self):
        return self.balance

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._balance = 0


# ==== TESTS ====
one, two = Account("ann", 5), Account.empty("bob")
two.balance = 7
assert (one + two).balance == 12 and len(two) == 7
try:
    one.balance = -1
    raised = False
except ValueError as error:
    raised = str(error) == "overdrawn"
assert raised
with one as same:
    assert same.balance == 5
assert one.balance == 0
assert one.describe() == "Account of ann"
assert two == Account("bob", 7) and two != one
assert Account.opened == 4
