"""Colors, dashes and lengths that all pictures share."""

#: M. Okabe, K. Ito, 2008, Color Universal Design, https://jfly.uni-koeln.de/color/, darkest first
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")
START, END, MINIMUM = "#0072B2", "#D55E00", "#009E73"
DARK, GRAY = "#222222", "#8a8a8a"
CONTOUR_COLORMAP = "cividis_r"  # perceptually uniform, also for color-blind readers
LONGEST = 82  # characters of a line above the picture
