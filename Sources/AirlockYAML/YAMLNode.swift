import AirlockCore

/// A value of a YAML file. What an alias repeats is shared, not copied.
package struct YAMLNode {
    package enum Content {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping([Pair])
    }

    package struct Pair {
        package let key: YAMLScalar
        package let line: Int
        package let value: YAMLNode
    }

    package let content: Content
    package let line: Int
    let column: Int
    /// The bytes that the value takes once every alias in it is written out, roughly.
    package let weight: Int

    package func fault(_ reason: String) -> YAMLFault { YAMLFault(line: line, column: column, reason: reason) }
}

/// Reads the one mapping that a YAML file is, entry by entry.
package struct YAMLReader {
    private let events: YAMLEvents
    private let weightLimit: Int
    private let entries: String
    private var anchors: [String: YAMLNode] = [:]
    /// Anchors of values that are not complete yet: an alias to one of them would hold itself.
    private var open: Set<String> = []
    private var depth = 0

    /// - Parameters:
    ///   - weightLimit: of one entry of the mapping, in bytes.
    ///   - entries: what the mapping holds, for messages: "a line `ID:` for each connection".
    package init(_ bytes: [UInt8], weightLimit: Int, entries: String) {
        events = YAMLEvents(bytes)
        self.weightLimit = weightLimit
        self.entries = entries
    }

    package mutating func forEachPair(_ body: (YAMLNode.Pair, _ column: Int) -> Void) throws(YAMLFault) {
        let start = try events.next()
        guard case .documentStart = start.content else { throw start.fault("the file is empty") }
        let root = try events.next()
        guard case .mapping = root.content else {
            throw root.fault("the file must be one mapping, \(entries)")
        }
        try checkCollectionTag(root)
        if let anchor = root.anchor { open.insert(anchor) }
        while true {
            let event = try events.next()
            if case .end = event.content { break }
            let pair = try pair(event)
            body(pair, event.column)
        }
        _ = try events.next()
        let end = try events.next()
        guard case .streamEnd = end.content else {
            throw end.fault("there is more than one document in the file; keep one, or make several files")
        }
    }

    // MARK: Nodes

    private mutating func pair(_ event: YAMLEvent) throws(YAMLFault) -> YAMLNode.Pair {
        guard case .scalar(let text, let isPlain) = event.content else {
            throw event.fault("a name that is no plain text; write the name itself")
        }
        let key = YAMLScalar(text: text, kind: try YAMLScalar.kind(event, isPlain: isPlain))
        if let anchor = event.anchor {
            anchors[anchor] = YAMLNode(
                content: .scalar(key), line: event.line, column: event.column, weight: text.utf8.count + 1)
        }
        return YAMLNode.Pair(key: key, line: event.line, value: try node(try events.next()))
    }

    private mutating func node(_ event: YAMLEvent) throws(YAMLFault) -> YAMLNode {
        let content: YAMLNode.Content
        var weight = 1
        switch event.content {
        case .alias(let name):
            if open.contains(name) { throw event.fault("an alias inside the very value it stands for") }
            guard let node = anchors[name] else { throw event.fault("an alias without an anchor before it") }
            return YAMLNode(content: node.content, line: event.line, column: event.column, weight: node.weight)
        case .scalar(let text, let isPlain):
            content = .scalar(YAMLScalar(text: text, kind: try YAMLScalar.kind(event, isPlain: isPlain)))
            weight += text.utf8.count
        case .sequence, .mapping:
            (content, weight) = try collection(event)
        case .end, .documentStart, .documentEnd, .streamEnd: throw event.fault("no valid YAML")
        }
        let node = YAMLNode(content: content, line: event.line, column: event.column, weight: weight)
        if let anchor = event.anchor { anchors[anchor] = node }
        return node
    }

    private mutating func collection(_ event: YAMLEvent) throws(YAMLFault) -> (YAMLNode.Content, weight: Int) {
        try checkCollectionTag(event)
        if let anchor = event.anchor { open.insert(anchor) }
        depth += 1
        guard depth <= JSON.depthLimit else { throw event.fault("nested too deeply") }
        defer {
            depth -= 1
            if let anchor = event.anchor { open.remove(anchor) }
        }
        var weight = 2
        func grow(by amount: Int) throws(YAMLFault) {
            weight += amount
            guard weight <= weightLimit else {
                throw event.fault("the value is larger than \(weightLimit >> 20) MiB, with its aliases written out")
            }
        }
        if case .sequence = event.content {
            var elements: [YAMLNode] = []
            while let event = try next() {
                elements.append(try node(event))
                try grow(by: elements[elements.count - 1].weight)
            }
            return (.sequence(elements), weight)
        }
        var pairs: [YAMLNode.Pair] = []
        while let event = try next() {
            pairs.append(try pair(event))
            try grow(by: pairs[pairs.count - 1].value.weight + pairs[pairs.count - 1].key.text.utf8.count)
        }
        return (.mapping(try YAMLReader.merged(pairs)), weight)
    }

    /// The next event of a collection, or nil at its end.
    private func next() throws(YAMLFault) -> YAMLEvent? {
        let event = try events.next()
        if case .end = event.content { return nil }
        return event
    }

    private func checkCollectionTag(_ event: YAMLEvent) throws(YAMLFault) {
        let core = ["tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!"]
        guard event.tag.map(core.contains) ?? true else { throw event.fault(YAMLScalar.foreignTag) }
    }

    // MARK: Merge keys

    /// `<<: *defaults` as Airflow's reader takes it: a name of the mapping's own wins, then the first of several mappings.
    /// https://yaml.org/type/merge.html
    private static func merged(_ pairs: [YAMLNode.Pair]) throws(YAMLFault) -> [YAMLNode.Pair] {
        var seen: Set<ExactText> = []
        for pair in pairs where !seen.insert(ExactText(pair.key.text)).inserted {
            throw YAMLFault(line: pair.line, column: 0, reason: "a name that was given before; remove one of the two")
        }
        guard let place = pairs.firstIndex(where: { $0.key.isMerge }) else { return pairs }
        var result = pairs
        let merge = result.remove(at: place).value
        var sources = [merge]
        if case .sequence(let elements) = merge.content { sources = elements }
        for source in sources {
            guard case .mapping(let others) = source.content else {
                throw merge.fault("`<<` takes a mapping, or a list of mappings")
            }
            for pair in others where seen.insert(ExactText(pair.key.text)).inserted {
                result.append(.init(key: pair.key, line: merge.line, value: pair.value))
            }
        }
        return result
    }
}
