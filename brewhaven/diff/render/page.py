def render(c, s):
    return ""
