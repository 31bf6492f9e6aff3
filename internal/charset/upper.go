package charset

// The upper halves, 0x80 to 0xFF, of single-byte sets that x/text does not have,
// from the charset files of MySQL 8.0 and, for the first, OpenJDK 17. Where they
// have nothing stands U+FFFD.
const (
	macCentralEuropeUpper = "" +
		"ÄĀāÉĄÖÜáąČäčĆćéŹ" +
		"źĎíďĒēĖóėôöõúĚěü" +
		"†°Ę£§•¶ß®©™ę¨≠ģĮ" +
		"įĪ≤≥īĶ∂∑łĻļĽľĹĺŅ" +
		"ņŃ¬√ńŇ∆«»…\u00A0ňŐÕőŌ" +
		"–—“”‘’÷◊ōŔŕŘ‹›řŖ" +
		"ŗŠ‚„šŚśÁŤťÍŽžŪÓÔ" +
		"ūŮÚůŰűŲųÝýķŻŁżĢˇ"

	armscii8Upper = "" +
		"\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008A\u008B\u008C\u008D\u008E\u008F" +
		"\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009A\u009B\u009C\u009D\u009E\u009F" +
		"\u00A0❁§։)(»«—.՝,-՟…՜" +
		"՛՞ԱաԲբԳգԴդԵեԶզԷէ" +
		"ԸըԹթԺժԻիԼլԽխԾծԿկ" +
		"ՀհՁձՂղՃճՄմՅյՆնՇշ" +
		"ՈոՉչՊպՋջՌռՍսՎվՏտ" +
		"ՐրՑցՒւՓփՔքՕօՖֆ’'"

	dec8Upper = "" +
		"\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008A\u008B\u008C\u008D\u008E\u008F" +
		"\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009A\u009B\u009C\u009D\u009E\u009F" +
		"\u00A0¡¢£\uFFFD¥\uFFFD§¤©ª«\uFFFD\uFFFD\uFFFD\uFFFD" +
		"°±²³\uFFFDµ¶·\uFFFD¹º»¼½\uFFFD¿" +
		"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ" +
		"\uFFFDÑÒÓÔÕÖŒØÙÚÛÜŸ\uFFFDß" +
		"àáâãäåæçèéêëìíîï" +
		"\uFFFDñòóôõöœøùúûüÿ\uFFFD\uFFFD"

	geostd8Upper = "" +
		"€\uFFFD‚\uFFFD„…†‡\uFFFD‰\uFFFD‹\uFFFD\uFFFD\uFFFD\uFFFD" +
		"\uFFFD‘’“”•–—\uFFFD\uFFFD\uFFFD›\uFFFD\uFFFD\uFFFD\uFFFD" +
		"\u00A0¡¢£¤¥¦§¨©ª«¬\u00AD®¯" +
		"°±²³´µ¶·¸¹º»¼½¾¿" +
		"აბგდევზჱთიკლმნჲო" +
		"პჟრსტჳუფქღყშჩცძწ" +
		"ჭხჴჯჰჵ\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD" +
		"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD№\uFFFD\uFFFD"

	hp8Upper = "" +
		"\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008A\u008B\u008C\u008D\u008E\u008F" +
		"\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009A\u009B\u009C\u009D\u009E\u009F" +
		"\u00A0ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤" +
		"¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢" +
		"âêôûáéóúàèòùäëöü" +
		"ÅîØÆåíøæÄìÖÜÉïßÔ" +
		"ÁÃãÐðÍÌÓÒÕõŠšÚŸÿ" +
		"Þþ·µ¶¾—¼½ªº«■»±\uFFFD"

	keybcs2Upper = "" +
		"ČüéďäĎŤčěĚĹÍľĺÄÁ" +
		"ÉžŽôöÓůÚýÖÜŠĽÝŘť" +
		"áíóúňŇŮÔšřŕŔ¼¡«»" +
		"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
		"└┴┬├─┼╞╟╚╔╩╦╠═╬╧" +
		"╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
		"αßΓπΣσµτΦΘΩδ∞φε∩" +
		"≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0"
)
