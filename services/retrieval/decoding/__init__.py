"""Pictures are decoded in processes of their own, bounded in time and memory, that can be ended at any moment.

decoders.py     the front: what a picture will cost decides who decodes it, or that nobody does
lane.py         like decoders and the pictures that wait for them
place.py        where one decoder works, and another takes over
spares.py       decoders that are ready to replace one that ended
decoder.py      one decoder, as its owner sees it
wire.py         what the two say to each other
process.py      one decoder, from within
answers.py      what becomes of a picture there; imports Pillow, numpy and `taxohash.images`, nothing else
confinement.py  what a decoder lets the system do to it
"""
