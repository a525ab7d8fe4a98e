extension ImportSource {
    /// A file that is one JSON object of ids, as `airflow connections export` and `airflow variables export` write it and
    /// `LocalFilesystemBackend` reads it.
    package init(json bytes: [UInt8], named source: String, reading: ImportReading = ImportReading()) {
        self.init(named: source, reading: reading)
        if let fault = SourceText.fault(bytes) {
            rejectAll(.init(source: source, line: 1), fault)
            return
        }
        let bytes = SourceText.withoutMark(bytes)
        let lines = SourceText.Lines(bytes)
        do throws(JSON.SyntaxError) {
            try JSON.forEachMember(of: bytes, stringLimit: ImportCandidate.sizeLimit) { member in
                let place = lines.place(of: member.nameOffset)
                var flaws: [String] = []
                if let flaw = member.flaw {
                    flaws = ["\(flaw.reason) (line \(lines.place(of: flaw.offset).line)): remove it"]
                }
                add(
                    ImportEntry(
                        id: member.name, line: place.line, column: place.column, value: member.value,
                        memberLines: member.nameOffsets.map { lines.place(of: $0).line }, flaws: flaws))
            }
        } catch {
            let place = lines.place(of: error.offset)
            rejectAll(
                .init(source: source, line: place.line, column: place.column),
                "\(error.reason): the file must be one whole JSON object, {\"ID\": ...}; nothing of it is imported")
        }
    }
}
