//! The page of more heartbeats, and more groups, than it shows at once.

use super::*;

impl House {
    /// Has nothing but so many heartbeats, each with a tag of its own.
    fn only(&self, count: usize) {
        let settings = Settings { namespace: namespace(KEY), ..Settings::default() };
        let heartbeats: Vec<_> = (0..count)
            .map(|n| {
                let mut draft = Draft::new(Timing::Interval(Span::from_secs(86_400)));
                draft.rest.tags = Some([format!("t{n:04}")].into());
                let slug = Slug::new(&format!("h{n:04}")).unwrap();
                Arc::new(draft.settle(slug, &settings.defaults, settings.namespace))
            })
            .collect();
        let reload = Reload { settings, channels: Arc::new([]), heartbeats: heartbeats.into() };
        self.desk.tell(Event::Reloaded(Box::new(reload)));
        while self.desk.0.machine.lock().unwrap().is_reloading() {
            self.desk.tell(Event::Tick);
        }
    }
}

#[tokio::test]
async fn the_last_page_that_is_shown_says_how_to_see_the_others() {
    let house = House::open();
    house.only(5_001);
    let first = house.get("/").await;
    assert!(first.body.contains("Page 1 of more than 100</span>"), "{}", first.head);
    let last = house.get("/?page=100").await.body;
    assert!(last.contains(">h4999</a>") && !last.contains(">h5000</a>"), "{last}");
    assert!(last.contains("Page 100 of more than 100; search or choose a status, tag or host"), "{last}");
    assert!(!last.contains("rel=\"next\""), "{last}");
    let beyond = house.get("/?page=101").await;
    assert_eq!(beyond.status, 400);
    assert!(beyond.body.contains("a number from 1 to 100"), "{}", beyond.body);
    house.only(5_000);
    let last = house.get("/?page=100").await.body;
    assert!(last.contains("<span>Page 100 of 100</span>"), "{last}");
}

#[tokio::test]
async fn a_group_that_is_not_counted_shows_no_number() {
    let house = House::open();
    house.only(210);
    let page = house.get("/?group=tag&page=4").await.body;
    assert!(page.contains("<bdi>t0199</bdi> <span class=\"count\">1</span></th>"), "{page}");
    let page = house.get("/?group=tag&page=5").await.body;
    assert!(page.contains("<bdi>t0205</bdi></th>") && page.contains(">h0205</a>"), "{page}");
}
