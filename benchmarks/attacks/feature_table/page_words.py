"""What the pages on attacks call features, protections and bars, in English and in Chinese."""

from __future__ import annotations

Words = tuple[str, str]

FEATURES: dict[str, Words] = {
    "hog": ("HOG", "HOG"),
    "dense_sift": ("dense SIFT", "稠密 SIFT"),
    "template": ("face template", "人脸模板"),
    "colour": ("colour histogram", "颜色直方图"),
    "lbp": ("LBP", "LBP"),
    "glcm": ("GLCM", "GLCM"),
    "gabor": ("Gabor", "Gabor"),
    "scattering": ("scattering", "散射"),
    "vlad": ("VLAD", "VLAD"),
    "bovw": ("bag of visual words", "视觉词袋"),
    "squeezenet": ("SqueezeNet, pooled", "SqueezeNet（池化）"),
    "surf": ("SURF", "SURF"),
    "sift": ("SIFT", "SIFT"),
}
PROTECTIONS: tuple[dict[str, Words], ...] = (
    {
        "clear": ("none", "无"),
        "laplace on pixels, unit=pixel epsilon=1": ("pixels, ε 1 a pixel (12,544)", "像素，每像素 ε 1（12,544）"),
        "laplace on pixels, unit=image epsilon=8": ("pixels, ε 8", "像素，ε 8"),
        "laplace epsilon=32": ("Laplace, ε 32", "拉普拉斯，ε 32"),
        "gaussian epsilon=32 delta=1e-6": ("Gaussian, ε 32", "高斯，ε 32"),
        "gaussian epsilon=4 delta=1e-6": ("Gaussian, ε 4", "高斯，ε 4"),
        "under MPC: answers": ("MPC: answers", "MPC：答案"),
        "under HE: answers": ("HE: answers", "HE：答案"),
    },
    {
        "privunit epsilon=32": ("PrivUnit, ε 32", "PrivUnit，ε 32"),
        "privunit epsilon=16": ("ε 16", "ε 16"),
        "privunit epsilon=8": ("ε 8", "ε 8"),
        "privunit epsilon=4": ("ε 4", "ε 4"),
        "privunit epsilon=2": ("ε 2", "ε 2"),
        "PCA 16": ("16 components, none", "16 个分量，无"),
        "PCA 16, privunit epsilon=8": ("PrivUnit, ε 8", "PrivUnit，ε 8"),
        "PCA 16, privunit epsilon=4": ("ε 4", "ε 4"),
        "PCA 16, privunit epsilon=2": ("ε 2", "ε 2"),
    },
)
LINKED: dict[tuple[str, str], Words] = {
    ("template", ""): ("templates", "模板"),
    ("template", "PCA 16, "): ("templates, 16 components", "模板，16 个分量"),
    ("hog", ""): ("HOG", "HOG"),
    ("hog", "PCA 16, "): ("HOG, 16 components", "HOG，16 个分量"),
}
TRANSCRIPTS: dict[str, Words] = {
    "under HE: transcript": ("HE server", "HE 服务器"),
    "under MPC: transcript": ("MPC party", "MPC 一方"),
}
CHINESE_BARS: tuple[tuple[str, str], ...] = (
    (r"^gradient inversion re-identifies at least 60 % from exact HOG of 112 x 112$",
     "梯度反演从 112 × 112 的精确 HOG 至少重新识别 60 %"),
    (r"^in at most (\S+) s of processor a face$", r"每张人脸至多 \1 秒处理器时间"),
    (r"^ridge re-identifies at least (\d+) % from exact dense SIFT$", r"`ridge` 从精确稠密 SIFT 至少重新识别 \1 %"),
    (r"^ridge re-identifies at least (\d+) % from exact templates$", r"`ridge` 从精确模板至少重新识别 \1 %"),
    (r"^PrivUnit at epsilon of at most (\S+) is at chance \(inversion: ridge, gradient\)$",
     r"ε 不超过 \1 的 PrivUnit 与瞎猜无异（反演：`ridge`、`gradient`）"),
    (r"^PrivUnit at epsilon of at most (\S+) is at chance \(neighbour of (.*)\)$",
     r"ε 不超过 \1 的 PrivUnit 与瞎猜无异（`neighbour`，\2）"),
    (r"^nobody is told more often than epsilon allows$", "没有人被认出的次数超过 ε 所允许的"),
    (r"^more epsilon never tells less$", "ε 更大时泄露从不更少"),
    (r"^under (HE|MPC): answers tell what exact features tell$", r"\1 的答案泄露精确特征所泄露的"),
    (r"^colour under (HE|MPC): transcript without masks \(control\): the control is read$",
     r"\1 的记录，去掉掩码（对照）：被读出"),
    (r"^colour under (HE|MPC): transcript: at chance \(transcript, lengths alone\)$",
     r"\1 的记录，仅凭长度：与瞎猜无异"),
    (r"^colour under (HE|MPC): transcript: at chance \(transcript\)$", r"\1 的记录：与瞎猜无异"),
    (r"^(\S+) of (faces|crops), epsilon (\S+) a pixel is told$", r"\1（\2），每像素 ε \3：被认出"),
    (r"^(\S+) of (faces|crops), epsilon (\S+) a coefficient, sensitivity 1 is told$",
     r"\1（\2），每系数 ε \3，灵敏度 1：被认出"),
    (r"^(\S+) of (faces|crops), epsilon (\S+) a coefficient, sensitivity by range is told$",
     r"\1（\2），每系数 ε \3，灵敏度按取值范围：被认出"),
    (r"^the whole table takes at most (\S+) minutes of processor$", r"全表至多 \1 分钟处理器时间"),
    (r"^(\S+) minutes$", r"\1 分钟"),
    (r"^(\S+) minutes, (\d+) figures not timed$", r"\1 分钟，\2 个数字未计时"),
    (r"^(\S+ s)$", r"\1"),
    (r"^(\d+) of (\d+) pairs fall$", r"\2 对中有 \1 对下降"),
    (r"^(\d+) of (\d+) beyond$", r"\2 行中有 \1 行超过"),
    (r"^(\d+) of (\d+) differ$", r"\2 行中有 \1 行不同"),
    (r"^(\d+) of (\d+), (\S+) by chance$", r"\2 份中 \1 份，瞎猜 \3"),
    (r"^(\S+%) of (\d+), (\S+) by chance$", r"\2 行中的 \1，瞎猜 \3"),
    (r"^(\S+%) of (\d+)$", r"\2 行中的 \1"),
    (r"^(\d+) of (\d+); told at most (\S+), epsilon allows (\S+)$", r"\2 行中有 \1 行；至多认出 \3，ε 允许 \4"),
    (r"^(\d+) of (\d+)$", r"\2 行中有 \1 行"),
    (r"(（|，)faces(）|，)", r"\1人脸\2"),
    (r"(（|，)crops(）|，)", r"\1裁剪\2"),
)  # fmt: skip
"""Of the words of a bar and of what was measured, in this order."""
