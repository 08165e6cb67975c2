"""A seeded market without any network: `instruments` it lists, `wander` is a price over time, `feed` trades `book`s."""
