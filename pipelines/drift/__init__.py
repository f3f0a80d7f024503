"""The drift pipeline: is what was asked and stored lately still what the served generation was measured on?"""
