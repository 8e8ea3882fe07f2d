frame-skip = 跳到正文
frame-back = 返回
frame-other-language = English
frame-demo = 演示起始页
frame-help = 遇到问题？请到校园卡服务中心，或拨打本校校园卡服务电话。
theme-auto = 外观：跟随系统。切换为深色
theme-dark = 外观：深色。切换为浅色
theme-light = 外观：浅色。切换为跟随系统
