"""Text in which words have senses that are known: pseudo-words, several words written as one (Gale et al. 1992)."""

import numpy as np

TOPIC_WORDS = 15


def planted_text(merged=(("a", "b"),), *, topics="abcdef", n_sentences=3000, length=11, seed=0):
    """Sentences about one topic each, and the word in each that is behind a merged one.

    Each topic has words of its own, ``a0`` ... ``a14``, and one word that names it; the names of some topics are
    written alike: ``("a", "b")`` is ``a+b`` in both.

    Returns:
        Token lists, and for each sentence the written name and the topic.
    """
    random = np.random.default_rng(seed)
    written = {topic: topic for topic in topics} | {topic: "+".join(group) for group in merged for topic in group}
    text, gold = [], []
    for number in range(n_sentences):
        topic = topics[number % len(topics)]
        sentence = [f"{topic}{word}" for word in random.integers(0, TOPIC_WORDS, length)]
        sentence[random.integers(length)] = written[topic]
        text.append(sentence)
        gold.append((written[topic], topic))
    return text, gold
