"""Membership inference: can an attacker tell that a sample was trained on?"""
