extension StorageReader {
    /// Everything below `folder` (empty, or ending in `/`), named from there. What lies directly in a folder comes before
    /// what its subfolders hold, and the last subfolder before the others: OpenBao's order of a scan.
    func descendants(_ kind: RecordKind, scope: String, folder: String) throws -> [String] {
        var found: [String] = []
        var folders = [""]
        while let inner = folders.popLast() {
            for child in try children(kind, scope: scope, folder: folder + inner) {
                if child.utf8.last == UInt8(ascii: "/") {
                    folders.append(inner + child)
                } else {
                    found.append(inner + child)
                }
            }
        }
        return found
    }
}
