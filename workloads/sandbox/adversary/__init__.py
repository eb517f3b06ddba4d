"""The sandbox under attack: programs that try to get out or to be judged wrongly, and an observer outside that says whether they did."""
