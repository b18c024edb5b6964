"""Lint: findings of the reader and of the rules on one text, chosen, suppressed, mended and printed in many forms."""
