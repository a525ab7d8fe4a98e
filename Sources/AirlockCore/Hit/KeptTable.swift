extension Front {
    /// Answers by their target's hash. The hash stands beside the answer: with very many of them a look-up waits for memory once
    /// here, and a dictionary's does for its keys and for its values.
    struct KeptTable {
        private struct Slot {
            var hash = 0
            var kept: Kept?
        }

        /// None, or a power of two; at least a fifth of them empty. An answer is in the first empty one from where its hash
        /// points at the time.
        private var slots: [Slot] = []
        private var count = 0
        /// Of all answers.
        private(set) var cost = 0

        /// The lowest bits are the same in the whole table (`Front.shard`).
        private func home(_ hash: Int) -> Int { (hash >> 6) & (slots.count - 1) }

        /// Where the hash is, or the empty slot where it would be.
        private func place(_ hash: Int) -> Int {
            var index = home(hash)
            while slots[index].kept != nil, slots[index].hash != hash { index = (index + 1) & (slots.count - 1) }
            return index
        }

        subscript(_ hash: Int) -> Kept? { slots.isEmpty ? nil : slots[place(hash)].kept }

        mutating func put(_ kept: Kept, _ hash: Int) {
            if count >= slots.count - slots.count / 5 - 1 { grow() }
            let index = place(hash)
            if let earlier = slots[index].kept { cost -= earlier.cost } else { count += 1 }
            cost += kept.cost
            slots[index] = Slot(hash: hash, kept: kept)
        }

        private mutating func grow() {
            let earlier = slots
            slots = Array(repeating: Slot(), count: max(8, 2 * earlier.count))
            for slot in earlier where slot.kept != nil { slots[place(slot.hash)] = slot }
        }

        mutating func remove(_ hash: Int) {
            guard !slots.isEmpty else { return }
            var gap = place(hash)
            guard let kept = slots[gap].kept else { return }
            slots[gap].kept = nil
            count -= 1
            cost -= kept.cost
            // What stands behind the gap, and would have stood in it, moves up: else a look-up would end there.
            let mask = slots.count - 1
            var index = (gap + 1) & mask
            while slots[index].kept != nil {
                if (index - home(slots[index].hash)) & mask >= (index - gap) & mask {
                    slots.swapAt(gap, index)
                    gap = index
                }
                index = (index + 1) & mask
            }
        }

        /// - Returns: what went, to be freed where nobody waits for it.
        mutating func removeAll(where isGone: (Kept) -> Bool) -> [Kept] {
            let gone = slots.compactMap { slot in slot.kept.flatMap { isGone($0) ? (slot.hash, $0) : nil } }
            for (hash, _) in gone { remove(hash) }
            return gone.map(\.1)
        }
    }
}
