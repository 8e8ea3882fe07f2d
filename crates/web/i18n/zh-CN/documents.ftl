failure-title-no-pdf = 暂时无法生成 PDF
failure-no-pdf = 服务器缺少生成 PDF 所需的字体，已通知管理员。网页内容相同，可直接打印，或用浏览器另存为 PDF。
failure-way-page = 打开网页版
