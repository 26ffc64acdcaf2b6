kind: Group
