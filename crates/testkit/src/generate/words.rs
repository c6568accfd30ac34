//! What people write, in seven languages, each with the charset and encoding it is sent in.

use super::encoding::{Charset, Transfer};
use super::random::Random;

/// A language with its habits of mail.
pub(super) struct Language {
    pub(super) charset: Charset,
    pub(super) transfer: Transfer,
    /// The offset from UTC of who writes it, in hours.
    pub(super) hours: i8,
    pub(super) currency: &'static str,
    /// Display name and local part.
    pub(super) people: &'static [(&'static str, &'static str)],
    pub(super) topics: &'static [&'static str],
    pub(super) hello: &'static str,
    pub(super) sentences: &'static [&'static str],
    pub(super) bye: &'static str,
    pub(super) order: &'static str,
    pub(super) invoice: &'static str,
    pub(super) total: &'static str,
    pub(super) products: &'static [&'static str],
}

/// One of the languages: half of the mail is English or French.
pub(super) fn language(random: &mut Random) -> &'static Language {
    let at = random.pick(&[0u8, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6]);
    LANGUAGES.get(usize::from(at)).copied().unwrap_or(&ENGLISH)
}

/// English, for what machines write.
pub(super) static ENGLISH: Language = Language {
    charset: Charset::Ascii,
    transfer: Transfer::SevenBit,
    hours: 0,
    currency: "GBP",
    people: &[
        ("Maya Patel", "maya.patel"),
        ("O'Brien, Pat", "pat"),
        ("Grace Kim", "grace"),
        ("Tom Hughes", "tom"),
    ],
    topics: &[
        "Cannot log in since this morning",
        "Question about my last delivery",
        "Wrong colour received",
        "How do I export my data?",
        "Please change my address",
        "The app closes when I add a photo",
    ],
    hello: "Hello,",
    sentences: &[
        "since yesterday evening I see an error each time I open my account.",
        "Could you please have a look and tell me what to do?",
        "I tried it on another computer, with the same result.",
        "The parcel arrived on time, but one item was missing.",
        "Thank you for the quick answer, that solved it.",
        "I have attached nothing, the screen stays white.",
    ],
    bye: "Kind regards",
    order: "Your order",
    invoice: "Invoice",
    total: "Total",
    products: &["Desk lamp", "Notebook A5", "Wool blanket", "Coffee grinder", "Bicycle bell"],
};

static LANGUAGES: [&Language; 7] = [&ENGLISH, &FRENCH, &GERMAN, &SPANISH, &JAPANESE, &RUSSIAN, &CHINESE];

static FRENCH: Language = Language {
    charset: Charset::Latin1,
    transfer: Transfer::Quoted,
    hours: 1,
    currency: "EUR",
    people: &[
        ("Zoé Martin", "zoe.martin"),
        ("Jean-François Lefèvre", "jf.lefevre"),
        ("Chloé Durand", "chloe"),
    ],
    topics: &[
        "Problème de connexion à mon espace",
        "Où en est ma commande ?",
        "Demande de remboursement",
        "Pièce manquante à la réception",
        "Changement d'adresse de livraison",
    ],
    hello: "Bonjour,",
    sentences: &[
        "je n'arrive plus à me connecter depuis hier soir.",
        "Pourriez-vous vérifier l'état de ma commande, s'il vous plaît ?",
        "Le colis est bien arrivé, mais la boîte était abîmée.",
        "J'ai essayé avec un autre navigateur, sans succès.",
        "Merci beaucoup pour votre réponse très rapide.",
    ],
    bye: "Bien cordialement",
    order: "Votre commande",
    invoice: "Facture",
    total: "Montant réglé",
    products: &["Lampe de bureau", "Théière émaillée", "Étagère en chêne", "Carnet à spirale"],
};

static GERMAN: Language = Language {
    charset: Charset::Windows1252,
    transfer: Transfer::EightBit,
    hours: 1,
    currency: "€",
    people: &[("Jörg Müller", "joerg.mueller"), ("Käthe Groß", "kaethe"), ("Søren Kierk", "soren")],
    topics: &[
        "Rückfrage zu meiner Bestellung",
        "Anmeldung nicht möglich",
        "Gerät lässt sich nicht einschalten",
        "Kündigung zum Monatsende",
        "Änderung der Lieferadresse",
    ],
    hello: "Guten Tag,",
    sentences: &[
        "seit gestern erscheint beim Öffnen die Meldung „Zugriff verweigert“.",
        "Könnten Sie bitte prüfen, woran das liegt?",
        "Die Lieferung war vollständig, nur die Größe stimmt nicht.",
        "Ich habe es auch auf einem zweiten Gerät versucht – ohne Erfolg.",
        "Vielen Dank für die schnelle Rückmeldung!",
    ],
    bye: "Mit freundlichen Grüßen",
    order: "Ihre Bestellung",
    invoice: "Rechnung",
    total: "Gesamtbetrag",
    products: &["Schreibtischlampe", "Kaffeemühle", "Wolldecke grün", "Fahrradklingel"],
};

static SPANISH: Language = Language {
    charset: Charset::Utf8,
    transfer: Transfer::EightBit,
    hours: 1,
    currency: "€",
    people: &[("Ana García", "ana.garcia"), ("Íñigo Muñoz", "inigo"), ("Lucía Peña", "lucia")],
    topics: &[
        "¿Dónde está mi pedido?",
        "No puedo iniciar sesión",
        "Devolución de un artículo",
        "Duda sobre la factura",
    ],
    hello: "Buenos días:",
    sentences: &[
        "desde ayer no consigo entrar en mi cuenta.",
        "¿Podrían comprobar qué ocurre con el envío?",
        "El paquete llegó a tiempo, pero faltaba una pieza.",
        "Muchas gracias por su atención 🙂",
    ],
    bye: "Un saludo",
    order: "Su pedido",
    invoice: "Factura",
    total: "Importe total",
    products: &["Lámpara de mesa", "Manta de lana", "Cuaderno pequeño", "Molinillo de café"],
};

static JAPANESE: Language = Language {
    charset: Charset::Iso2022Jp,
    transfer: Transfer::SevenBit,
    hours: 9,
    currency: "JPY",
    people: &[("田中 健一", "tanaka"), ("鈴木 花子", "hanako.suzuki"), ("佐藤 美咲", "sato")],
    topics: &[
        "注文についてのお問い合わせ",
        "ログインできません",
        "商品の交換について",
        "請求書の再発行のお願い",
    ],
    hello: "お世話になっております。",
    sentences: &[
        "昨日からログインができなくなりました。",
        "お手数ですが、ご確認をお願いいたします。",
        "商品は届きましたが、箱が壊れていました。",
        "早速のご返信、ありがとうございます。",
    ],
    bye: "よろしくお願いいたします。",
    order: "ご注文",
    invoice: "請求書",
    total: "合計",
    products: &["デスクライト", "ノート", "ウールの毛布", "コーヒーミル"],
};

static RUSSIAN: Language = Language {
    charset: Charset::Koi8R,
    transfer: Transfer::Base64,
    hours: 3,
    currency: "RUB",
    people: &[("Олег Иванов", "oleg.ivanov"), ("Мария Смирнова", "maria"), ("Анна Кузнецова", "anna.k")],
    topics: &[
        "Вопрос о доставке",
        "Не могу войти в личный кабинет",
        "Возврат товара",
        "Изменить адрес доставки",
    ],
    hello: "Здравствуйте!",
    sentences: &[
        "Со вчерашнего дня не получается войти в личный кабинет.",
        "Проверьте, пожалуйста, состояние моего заказа.",
        "Посылка пришла вовремя, но одной вещи не хватало.",
        "Спасибо за быстрый ответ.",
    ],
    bye: "С уважением",
    order: "Ваш заказ",
    invoice: "Счёт",
    total: "Итого",
    products: &["Настольная лампа", "Шерстяной плед", "Кофемолка", "Блокнот"],
};

static CHINESE: Language = Language {
    charset: Charset::Gb18030,
    transfer: Transfer::Base64,
    hours: 8,
    currency: "CNY",
    people: &[("李雷", "li.lei"), ("韩梅梅", "hanmeimei"), ("王芳", "wangfang")],
    topics: &["关于订单的问题", "无法登录账户", "申请退货", "请更改收货地址"],
    hello: "您好:",
    sentences: &[
        "从昨天开始我无法登录账户。",
        "请帮忙查看一下订单的状态。",
        "包裹已经收到,但是少了一件商品。",
        "谢谢您的快速回复。",
    ],
    bye: "此致敬礼",
    order: "您的订单",
    invoice: "发票",
    total: "合计",
    products: &["台灯", "羊毛毯", "咖啡研磨机", "笔记本"],
};
