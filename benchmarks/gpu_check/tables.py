"""Tables in Markdown."""


def table(head, rows):
    """Return a table in Markdown."""
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in row) + ' |'
                     for row in [head, ['---'] * len(head), *rows])
