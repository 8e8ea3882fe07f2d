frame-skip = Skip to content
frame-back = Back
frame-other-language = 中文
frame-demo = Start page of the demo
frame-help = Need help? Ask at the card service centre, or call your school's card service.
theme-auto = Look: as the system. Switch to dark
theme-dark = Look: dark. Switch to light
theme-light = Look: light. Switch to as the system
