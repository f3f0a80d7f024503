"""Items put, told, changed and deleted.

sent      an item as its client sent it, from the bytes of a body
labelled  the labels that it names, as numbers
made      its code, original and thumbnail
written   put into the stores, changed and deleted there
told      as a client gets it
similar   those that are like it
batch     several at once
"""
