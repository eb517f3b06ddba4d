"""Words for house names and concepts. No concept belongs to any name: a library pairs them at random."""

NAMES = """
abate accrue adorn aerie alcove amble anchor annex anvil apex arbor arcade ardor armor arrow ascend aspen atoll attic attune auburn avail awning
ballast banner barter basin baste beacon beckon bellow bestow birch bisect blanch blend bolster bramble brand brisk broach buckle buoy burnish
cairn canopy carve cascade cavern chisel chime cinder cipher clasp cleave clip cloak clover cobble coax comb compass condor coral cordon crest crisp
dabble dapple dart decant delve dew ditto dock dovetail dowel drape dread drift dune dusk dwell ease ebb eddy elate elm ember emboss enrich etch
falcon fathom fennel fern ferry filch fjord flake flare fleece flint flock flume foil forage forge frame fray frost furl gable gale garnish gather
gild girdle glade glaze glean glide glimmer gloss gorge grain graft grapple gravel grotto grove gust hail halyard hamlet harbor harness harrow haul
haven hearth heather helm heron hew hinge hoist hollow hone hull hush inlay instill iris ivory jade jasper jaunt jetty jolt jostle juniper kayak keel
kernel kiln kindle knead knell knoll lace lagoon lantern larch lattice laurel ledge lichen lilt linden linger lodge loom lunge lurch mallet mantle
maple marble marsh mason meadow meld mend mesa mill mince mingle minnow mirror moat moor moniker mosaic muffle mulch muster nestle nettle nimbus
notch nudge nurture oar oasis obelisk ochre onyx orbit orchard osprey otter outcrop paddle palisade pare parry pasture patch pebble pelt perch pilot
pivot plaque plover pluck plume pollen portal prance prism prune pylon quarry quell quench quill quilt quiver raft ramble rampart raven reap reed
""".split()

BEGINNINGS = """
tess quor vel mar brin dol fen gal hest jor kel lum mor nal orv pel rast sel torv und vex wil xan yor zel cor dra el fal
gren hul ist jas kor lin mel nor osk pra quil riv sor tal ulm var wes yar zan bel cas dev em fir gor hal ilm jun
""".split()
ENDINGS = """
era ix ana olo ium ara eth isk oria une ander emi ost uva imo arin olt esse ivo ura ade ock inta umo ezi arro ilda ophe
ettle
""".split()

TEXT_FORMS = (
    """
house slug|ledger code|masked form|shelf label|routing key|short form|audit stamp|display form|sort handle|greeting line|file tag|badge text
search token|postal mark|archive title|billing reference|print caption|index entry|call sign|catalog heading|wire format|spoken spelling
""".strip()
    .replace("\n", "|")
    .split("|")
)
TEXT_SUBJECTS = (
    """
book|customer|account|product|city|street|message|phone|surname|guest|invoice|branch|supplier|course|vessel|station|recipe|patient|song|team
museum|contract
""".strip()
    .replace("\n", "|")
    .split("|")
)
NUMBER_FORMS = (
    """
net price|loyalty points|shipping band|risk score|billing cycle|handling fee|tax class|queue priority|discount tier|storage slot|credit limit
delay penalty|quality grade|insurance rate|parking zone|refill level
""".strip()
    .replace("\n", "|")
    .split("|")
)
NUMBER_SUBJECTS = (
    """
gross amount|weight|age in days|parcel count|order size|distance|temperature|page total|staff number|meter reading|floor|duration in minutes|seat
deposit|voltage|calendar week
""".strip()
    .replace("\n", "|")
    .split("|")
)
